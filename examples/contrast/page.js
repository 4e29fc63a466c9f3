// A tap or click on a box shows its title below; another one beside the boxes takes it away.
const detail = document.getElementById("detail");
let chosen = null;
document.addEventListener("click", (event) => {
  const box = event.target.closest(".timeline [title]");
  if (chosen) chosen.classList.remove("chosen");
  chosen = box;
  if (box) box.classList.add("chosen");
  detail.hidden = !box;
  detail.textContent = box ? box.title : "";
});
