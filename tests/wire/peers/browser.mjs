// A page in a real browser: Debian's Chromium without a window.
import { chromium } from 'playwright-core';

// A new page; its browser is ended with the test `t`. `rules` maps host names to
// addresses, as Chromium's --host-resolver-rules.
export async function browserPage(t, rules = '') {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      ...(rules ? [`--host-resolver-rules=${rules}`] : [])],
  });
  t.after(() => browser.close());
  return browser.newPage();
}
