"use strict";
// Keys of the page: Alt with a digit opens a view, Ctrl or Cmd with Z and Y undo and redo where no text is typed.
document.addEventListener("keydown", (event) => {
  if (event.altKey && !event.ctrlKey && !event.metaKey && /^Digit[1-8]$/.test(event.code)) {
    const link = document.querySelectorAll("nav.views a")[Number(event.code.slice(5)) - 1];
    if (link) { event.preventDefault(); link.click(); }
  }
  const typing = event.target.closest("input:not([type=checkbox], [type=range]), textarea, select");
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !typing && /^Key[ZY]$/.test(event.code)) {
    const redo = event.code === "KeyY" || event.shiftKey;
    const button = document.getElementById(redo ? "redo" : "undo");
    if (button) { event.preventDefault(); button.click(); }
  }
});
