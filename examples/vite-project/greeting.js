export const greeting = 'Hello from a Vite project in a sandbox';
