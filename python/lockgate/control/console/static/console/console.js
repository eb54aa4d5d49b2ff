// Asks for the part of the page that changes, while somebody looks at it. Without this the page is whole, and stands still.
"use strict";
const live = document.getElementById("live");
if (live) {
  let last = "";
  const seconds = Number(live.dataset.seconds);
  const again = async () => {
    // What is pointed at or marked stays as it is.
    const busy = live.contains(document.activeElement) || String(getSelection());
    if (!document.hidden && !busy) {
      try {
        const answer = await fetch(live.dataset.again, { headers: { Accept: "text/html" }, redirect: "error" });
        const text = answer.ok ? await answer.text() : last;
        if (text !== last) live.innerHTML = last = text;
        // What ended may have made other buttons of the page possible.
        if (live.querySelector("[data-reload]")) return void location.reload();
      } catch {
        // The console may be starting again; the next time will tell.
      }
    }
    setTimeout(again, seconds * 1000);
  };
  setTimeout(again, seconds * 1000);
}
