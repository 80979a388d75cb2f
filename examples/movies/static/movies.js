// The pages work without any of this.
for (const select of document.querySelectorAll("select[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// On a narrow window the films come first.
const filters = document.querySelector("details.filters");
if (filters) {
  const wide = matchMedia("(min-width: 60rem)");
  const follow = () => { filters.open = wide.matches; };
  wide.addEventListener("change", follow);
  follow();
}

// "/" goes to the search box, as it does elsewhere.
document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input, select, textarea");
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    document.getElementById("q").focus();
  }
});

document.querySelector(".notice.wrong")?.focus();
