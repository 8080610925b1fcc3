/** Paths of files that were copied in a file browser; nothing for other contents. */
export function pastedPaths(data: Pick<DataTransfer, 'getData'> | null): string[] {
  const list = data?.getData('text/uri-list') ?? '';
  return list
    .split(/\r?\n/)
    .filter((line) => line.startsWith('file://'))
    .flatMap((line) => {
      try {
        const path = decodeURIComponent(new URL(line).pathname);
        // file:///C:/Users/… carries the drive after the slash.
        return [/^\/[A-Za-z]:\//.test(path) ? path.slice(1) : path];
      } catch {
        return [];
      }
    });
}

/** Most bytes that are taken from the clipboard; whoever may attach so much is decided outside. */
export const mostPasted = 200 * 1024 * 1024;

/** Files whose content the clipboard carries; none where it has words too, which is what people mean then. */
export function pastedFiles(data: Pick<DataTransfer, 'getData' | 'files'> | null): File[] {
  if (!data || data.getData('text/plain') !== '') return [];
  return [...data.files];
}

/** What a pasted bitmap's file ends in. A bitmap has no name of its own: browsers call each one `image`. */
export function bitmapEnding(file: Pick<File, 'name' | 'type'>): string | undefined {
  const ending = /^image\/(\w+)/.exec(file.type)?.[1];
  return /^(image\.\w+)?$/.test(file.name) ? ending : undefined;
}
