// The model's page. Without this it works as well: the form posts, and the answer comes on the page.
import { live } from "./form.js";
import { batch } from "./batch.js";
import { code } from "./code.js";

live(document.getElementById("try"), document.getElementById("form"), document.getElementById("answer"));
batch(document.getElementById("batch-form"), document.getElementById("result"));
code(document.querySelector(".snippets"));
