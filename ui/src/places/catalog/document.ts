/** Reads a Rich Content document for a preview. Whatever does not fit is left out, never guessed. */

export interface Block {
  image: string | undefined;
  link: string | undefined;
  title: string;
  text: string;
}

export interface Widget {
  name: string;
  type: string;
  blocks: Block[];
}

type Json = Record<string, unknown>;

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function string(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The words of a `title` or `text`: lines in `content`, or parts in `items`. */
function words(value: unknown): string {
  const { content, items } = object(value);
  const lines = list(content).filter((line) => typeof line === 'string');
  const parts = list(items).flatMap(
    (item) => string(object(item)['text']) ?? string(object(item)['content']) ?? [],
  );
  return [...lines, ...parts].join('\n');
}

/** Widgets of a document; nothing when it is no document. */
export function widgetsOf(json: string): Widget[] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined;
  }
  const content = object(parsed)['content'];
  if (!Array.isArray(content)) return undefined;
  return content.map((entry) => {
    const widget = object(entry);
    return {
      name: string(widget['widgetName']) ?? '',
      type: string(widget['type']) ?? '',
      blocks: list(widget['blocks']).map((raw) => {
        const block = object(raw);
        const image = object(block['img']);
        return {
          image: string(image['src']),
          link: string(block['imgLink']),
          title: words(block['title']) || (string(image['alt']) ?? ''),
          text: words(block['text']),
        };
      }),
    };
  });
}

/** JSON laid out for reading; as it was when it is none. */
export function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
