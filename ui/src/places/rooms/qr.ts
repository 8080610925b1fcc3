/** QR codes as one path, to be drawn in an `<svg>` of `size` modules across. */
import { encode } from 'uqr';

/** Empty modules around a code, as its standard asks. */
const quiet = 4;

export function qr(text: string): { size: number; path: string } {
  const { data, size } = encode(text, { ecc: 'M', border: 0 });
  let path = '';
  for (const [y, row] of data.entries()) {
    for (let x = 0; x < row.length; x += 1) {
      if (!row[x]) continue;
      let end = x + 1;
      while (row[end]) end += 1;
      path += `M${x + quiet} ${y + quiet}h${end - x}v1h-${end - x}z`;
      x = end;
    }
  }
  return { size: size + 2 * quiet, path };
}
