"use strict";
// What the page does without the server: nothing yet is lost when it is slow to answer.
document.addEventListener("keydown", (event) => {
  // Ctrl or Cmd with a digit would be the browser's own; Alt and a digit opens a view.
  if (event.altKey && !event.ctrlKey && !event.metaKey && /^Digit[1-8]$/.test(event.code)) {
    const link = document.querySelectorAll("nav.views a")[Number(event.code.slice(5)) - 1];
    if (link) { event.preventDefault(); link.click(); }
  }
});
document.addEventListener("keydown", (event) => {
  // Tabs are one stop of the keyboard; the arrows move between them.
  const tab = event.target.closest?.('[role="tab"]');
  if (!tab || !["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
  const tabs = [...tab.parentElement.querySelectorAll('[role="tab"]')];
  const at = tabs.indexOf(tab);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
  const next = tabs[(to + tabs.length) % tabs.length];
  event.preventDefault();
  next.focus();
  next.click();
});
