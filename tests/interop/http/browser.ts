/** A real browser, headless. */

import { chromium } from 'playwright-core';

export interface Seen {
  readonly title: string;
  readonly scriptRan: boolean;
  readonly pictureWidth: number;
  /** Title of the page behind the last link of the navigation. */
  readonly nextTitle: string;
  /** Requests that failed, and errors on the console. */
  readonly failures: readonly string[];
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** Loads the example site at `url` and follows a link. */
export async function browse(url: string): Promise<Seen> {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  try {
    const page = await browser.newPage();
    const failures: string[] = [];
    page.on('requestfailed', (request) => failures.push(request.url()));
    page.on('console', (message) => {
      if (message.type() === 'error') failures.push(message.text());
    });
    page.on('response', (response) => {
      if (response.status() >= 400) failures.push(`${response.status()} ${response.url()}`);
    });
    await page.goto(url, { waitUntil: 'load' });
    const title = await page.title();
    const scriptRan = (await page.locator('html').getAttribute('data-script')) === 'ran';
    const pictureWidth = await page
      .locator('.hero img')
      .evaluate((image) => (image as HTMLImageElement).naturalWidth);
    await page.locator('header nav a').last().click();
    await page.waitForURL('**/life-of-a-request/');
    return { title, scriptRan, pictureWidth, nextTitle: await page.title(), failures };
  } finally {
    await browser.close();
  }
}
