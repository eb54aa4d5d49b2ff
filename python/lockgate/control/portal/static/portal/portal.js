// Sends a form and shows its answer in place, so that what was typed stays. Without this the answer is a page of its own.
"use strict";
for (const form of document.querySelectorAll("form[data-into]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const place = document.getElementById(form.dataset.into);
    const button = form.querySelector("button");
    button.disabled = true;
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(...(page.getElementById(form.dataset.into)?.childNodes ?? []));
    } catch {
      place.textContent = "The portal did not answer. Reload the page, and try again.";
    } finally {
      button.disabled = false;
      place.removeAttribute("aria-busy");
      place.focus();
    }
  });
}
