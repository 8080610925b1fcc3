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
