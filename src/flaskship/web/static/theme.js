// Light or dark: as the system has it, or as chosen here. Runs before anything is drawn.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const show = () => {
    const theme = kept() || (system.matches ? "dark" : "light");
    document.documentElement.dataset.bsTheme = theme;
    document.getElementById("theme")?.setAttribute("aria-pressed", String(theme === "dark"));
  };
  show();
  system.addEventListener("change", show);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
      try { localStorage.setItem("theme", next); } catch { /* not kept, where nothing may be */ }
      document.documentElement.dataset.bsTheme = next;
      button.setAttribute("aria-pressed", String(next === "dark"));
    });
  });
})();
