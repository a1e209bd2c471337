// Light, dark, or as the system says: set before anything is drawn. A module would come too late, so this one is a script.
"use strict";

(() => {
  const NAME = "raftkv.theme";
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem(NAME) ?? "auto";
    } catch {
      return "auto"; // storage is switched off
    }
  }

  function show(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  globalThis.raftkvTheme = {
    get: stored,
    set(theme) {
      try {
        localStorage.setItem(NAME, theme);
      } catch {
        // it holds for this page, then
      }
      show(theme);
    },
  };
  show(stored());
})();
