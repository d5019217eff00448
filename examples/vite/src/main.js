// A router in the browser: /week is no file, the server answers index.html for it.
import { heights } from "./tide.js";
import "./style.css";

const pages = {
  "/": () => `The water stands at ${heights(new Date(), 1)[0].toFixed(2)} m`,
  "/week": () => heights(new Date(), 7).map((h, day) => `day ${day}: ${h.toFixed(2)} m`).join("\n"),
};

const page = pages[location.pathname] ?? (() => "No such page");
document.getElementById("page").textContent = page();
