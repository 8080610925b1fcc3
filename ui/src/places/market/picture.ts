/** The chart as a picture that says by itself what it shows. */
import { CallError } from '../../contract';
import type { Ink } from './candles';

/** Words above the chart, each in its colour. */
export interface Caption {
  text: string;
  colour: string;
}

/** Height of a line of words, the space around them, and the gap between two, in points. */
const [line, edge, gap] = [18, 12, 14];

/** Puts captions above a drawing of the chart and makes a PNG of both. */
export async function captioned(
  shot: HTMLCanvasElement,
  captions: readonly Caption[],
  ink: Ink,
  font: string,
  scale: number,
): Promise<Blob> {
  const canvas = document.createElement('canvas');
  const pen = canvas.getContext('2d');
  if (!pen) throw new CallError('internal', 'This window draws no pictures.');
  const letters = `${12 * scale}px ${font}`;
  pen.font = letters;
  const places = laidOut(
    captions.map(({ text }) => pen.measureText(text).width / scale),
    shot.width / scale,
  );
  const head = ((places.at(-1)?.row ?? 0) + 1) * line + edge;
  canvas.width = shot.width;
  canvas.height = shot.height + Math.round(head * scale);
  pen.fillStyle = ink.ground;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  // A canvas forgets its font when its size changes.
  pen.font = letters;
  pen.textBaseline = 'middle';
  captions.forEach(({ text, colour }, at) => {
    const { x = 0, row = 0 } = places[at] ?? {};
    pen.fillStyle = colour;
    pen.fillText(text, x * scale, (edge / 2 + (row + 0.5) * line) * scale);
  });
  pen.drawImage(shot, 0, canvas.height - shot.height);
  return new Promise((done, fail) => {
    canvas.toBlob((picture) => {
      if (picture) done(picture);
      else fail(new CallError('internal', 'The picture could not be made.'));
    }, 'image/png');
  });
}

/** Where words of these widths go: one after another, in as many rows as they need. */
export function laidOut(widths: readonly number[], width: number): { x: number; row: number }[] {
  let [x, row] = [edge, 0];
  return widths.map((wide) => {
    if (x > edge && x + wide > width - edge) [x, row] = [edge, row + 1];
    const place = { x, row };
    x += wide + gap;
    return place;
  });
}
