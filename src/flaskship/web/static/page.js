// The model's page. Without this it works as well: the form posts, and the answer comes on the page.
import { live } from "./form.js";
import { asked } from "./ask.js";
import { files } from "./files.js";
import { counters } from "./counter.js";
import { batch } from "./batch.js";
import { code } from "./code.js";

const here = (id) => document.getElementById(id);
const form = here("form"), answer = here("answer");
const asks = form.getAttribute("data-asks"); // of a function, which runs when it is told to
files(here("try"));
counters(here("try"));
if (asks) asked(here("try"), form, answer, asks === "stream");
else live(here("try"), form, answer);
if (here("batch-form")) batch(here("batch-form"), here("result"));
code(document.querySelector(".snippets"));
