// Shows what takes passkeys where the browser has them, and says what went wrong in words.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  if (window.PublicKeyCredential) {
    for (const part of document.querySelectorAll("[data-passkeys]")) part.hidden = false;
  }
});
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const told = document.getElementById("passkey_told");
  if (!told) return;
  const name = event.detail.exception && event.detail.exception.name;
  told.textContent = name === "InvalidStateError"
    ? "This passkey is here already. Choose another one."
    : "Nothing was done: the browser gave no passkey. Try it again, or sign in another way.";
  told.hidden = false;
});
