// The guest is not told what the host changes in a mounted directory: it has to look.
export default {
  server: { host: '127.0.0.1', watch: { usePolling: true, interval: 300 } },
  // Where the guest may write, even with the project mounted read-only.
  cacheDir: '/tmp/vite',
};
