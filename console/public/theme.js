// Runs before the first paint, so that no page flashes in the other theme.
// A file of its own and not inline, so that a strict content security policy holds.
(function () {
  var asked = new URLSearchParams(location.search).get('theme');
  var kept = null;
  try { kept = localStorage.getItem('arus.theme'); } catch (_) { kept = null; }
  var theme = asked || kept;
  if (theme !== 'light' && theme !== 'dark') {
    theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  }
  document.documentElement.dataset.theme = theme;
})();
