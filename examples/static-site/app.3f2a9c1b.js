// The page is complete without this file: it only tells how long the page took to arrive.
const [navigation] = performance.getEntriesByType('navigation');
const place = document.getElementById('timing');
if (navigation && place) {
  const wait = Math.max(0, navigation.responseStart - navigation.requestStart);
  place.textContent = ` This page answered in ${wait.toFixed(1)} ms.`;
}
document.documentElement.dataset.script = 'ran';
