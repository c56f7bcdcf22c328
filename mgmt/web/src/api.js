// Talks to gnomon-mgmtd.

export async function get(path) {
  const response = await fetch(`/api/v1/${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** Calls `handlers[kind](data)` for everything the stream brings; it connects again by itself. */
export function listen(handlers, onLink) {
  const stream = new EventSource("/api/v1/stream");
  for (const [kind, handle] of Object.entries(handlers)) {
    stream.addEventListener(kind, (message) => handle(JSON.parse(message.data)));
  }
  stream.onopen = () => onLink(true);
  stream.onerror = () => onLink(false);
  return stream;
}
