"use strict";
// What the page does without the server: nothing yet is lost when it is slow to answer.
document.addEventListener("keydown", (event) => {
  // Ctrl or Cmd with a digit would be the browser's own; Alt and a digit opens a view.
  if (event.altKey && !event.ctrlKey && !event.metaKey && /^Digit[1-8]$/.test(event.code)) {
    const link = document.querySelectorAll("nav.views a")[Number(event.code.slice(5)) - 1];
    if (link) { event.preventDefault(); link.click(); }
  }
});
