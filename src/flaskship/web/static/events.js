// Server-sent events of a response's body. https://html.spec.whatwg.org/multipage/server-sent-events.html

export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) yield event(part);
    }
  } finally {
    reader.cancel().catch(() => {}); // the server is told, and stops
  }
}

function event(part) {
  const fields = part.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
  const data = fields.filter(([name]) => name === "data").map(([, value]) => value).join("\n");
  return { kind: fields.find(([name]) => name === "event")?.[1] ?? "message", data };
}
