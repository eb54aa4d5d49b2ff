// Shows what takes passkeys where the browser has them, and says what went wrong in words.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  // Passkeys are of a name; an address has none.
  const named = !/^[\d.]+$|:/.test(location.hostname);
  const there = window.PublicKeyCredential && named ? "[data-passkeys]" : "[data-no-passkeys]";
  for (const part of document.querySelectorAll(there)) part.hidden = false;
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
