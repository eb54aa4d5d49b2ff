// Checks the document while it is typed, and leads from a problem to its place. Without this, saving checks it.
"use strict";
const editor = document.getElementById("editor");
const problems = document.getElementById("problems");
if (editor && problems) {
  const text = editor.elements.text;
  let waiting = 0;
  let asked = 0;
  const check = async () => {
    const mine = ++asked;
    const body = new URLSearchParams({
      text: text.value,
      csrfmiddlewaretoken: editor.elements.csrfmiddlewaretoken.value,
    });
    try {
      const answer = await fetch(editor.dataset.check, { method: "POST", body, redirect: "error" });
      // An answer about an older text says nothing.
      if (answer.ok && mine === asked) problems.innerHTML = await answer.text();
    } catch {
      // The console may be starting again; the next key asks anew.
    }
  };
  text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(check, 350);
  });
  problems.addEventListener("click", (event) => {
    const place = event.target.closest("[data-line]");
    if (!place) return;
    const lines = text.value.split("\n");
    const line = Number(place.dataset.line);
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    const from = start + Number(place.dataset.column) - 1;
    text.focus();
    text.setSelectionRange(from, start + (lines[line - 1] ?? "").length);
    text.scrollTop = (text.scrollHeight / lines.length) * Math.max(0, line - 5);
  });
  // What was entered and not saved is not lost by a click.
  const saved = text.value;
  let sending = false;
  editor.addEventListener("submit", () => { sending = true; });
  addEventListener("beforeunload", (event) => {
    if (!sending && text.value !== saved) event.preventDefault();
  });
}
