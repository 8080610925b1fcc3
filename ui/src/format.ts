/** Numbers, sizes and times as people read them, in the language in use. */
import { count, language, t } from './i18n/index.svelte';

export { count };

/** A size in bytes with one unit. */
export function bytes(size: number): string {
  if (size < 1000) return t('unit.bytes', { n: size });
  const units = ['unit.kb', 'unit.mb', 'unit.gb', 'unit.tb'] as const;
  let value = size / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return t(units[unit] ?? 'unit.tb', { value: count(value, language(), value < 10 ? 1 : 0) });
}

/** A length of time, coarse. */
export function duration(seconds: number): string {
  if (seconds < 10) return t('unit.seconds', { value: count(Math.max(0, seconds), language(), 1) });
  const whole = Math.round(seconds);
  if (whole < 60) return t('unit.seconds', { value: count(whole) });
  if (whole < 3600)
    return t('unit.minutes', { m: count(Math.floor(whole / 60)), s: String(whole % 60).padStart(2, '0') });
  return t('unit.hours', {
    h: count(Math.floor(whole / 3600)),
    m: String(Math.floor((whole % 3600) / 60)).padStart(2, '0'),
  });
}

/** A price: as many digits as its size needs. */
export function price(value: number): string {
  const magnitude = Math.abs(value);
  const digits = magnitude === 0 || magnitude >= 10 ? 2 : magnitude >= 0.1 ? 4 : 8;
  return count(value, language(), digits, digits);
}

/** A fraction as a signed percentage. */
export function percent(fraction: number): string {
  const words = count(Math.abs(fraction) * 100, language(), 2, 2);
  const sign = fraction > 0 ? '+' : fraction < 0 ? '\u2212' : '';
  return t('unit.percent', { value: sign + words });
}

/** Where a language has several customs, dates and times follow the one without AM and PM. */
function locale(): string {
  return language() === 'en' ? 'en-GB' : language();
}

function dated(options: Intl.DateTimeFormatOptions): (at: number) => string {
  return (at) => new Intl.DateTimeFormat(locale(), options).format(at);
}

/** Hour and minute. */
export const clock = dated({ hour: '2-digit', minute: '2-digit' });
/** The exact moment. */
export const exact = dated({ dateStyle: 'medium', timeStyle: 'medium' });
/** A date. */
export const date = dated({ dateStyle: 'medium' });

const barDay = dated({ dateStyle: 'medium', timeZone: 'UTC' });
const barMinute = dated({ dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });

/** When a bar of prices begins, in UTC as the axis of the chart: its day, with the time where a day has several. */
export function barTime(at: number, intraday: boolean): string {
  return intraday ? barMinute(at) : barDay(at);
}

/** When something was, as short as a list allows: the hour today, else the day. */
export function brief(at: number, now: number): string {
  if (midnight(at) === midnight(now)) return clock(at);
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return sameYear ? dated({ day: 'numeric', month: 'short' })(at) : dated({ dateStyle: 'short' })(at);
}

/** The name of a day for a separator: today, yesterday, or the date. */
export function day(at: number, now: number): string {
  const days = Math.round((midnight(now) - midnight(at)) / 86_400_000);
  if (days === 0) return t('time.today');
  if (days === 1) return t('time.yesterday');
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  const options: Intl.DateTimeFormatOptions = { weekday: 'long', day: 'numeric', month: 'long' };
  if (!sameYear) options.year = 'numeric';
  return new Intl.DateTimeFormat(locale(), options).format(at);
}

/** How long ago, in words. */
export function relative(at: number, now: number): string {
  const seconds = (at - now) / 1000;
  const format = new Intl.RelativeTimeFormat(language(), { numeric: 'auto', style: 'short' });
  const steps: [Intl.RelativeTimeFormatUnit, number, number][] = [
    ['minute', 60, 3600],
    ['hour', 3600, 86_400],
    ['day', 86_400, 86_400 * 30],
    ['month', 86_400 * 30, 86_400 * 365],
  ];
  if (Math.abs(seconds) < 60) return t('time.now');
  for (const [unit, size, below] of steps) {
    if (Math.abs(seconds) < below) return format.format(Math.round(seconds / size), unit);
  }
  return format.format(Math.round(seconds / (86_400 * 365)), 'year');
}

/** A local moment for the name of a file: it sorts, and every file system takes it. */
export function stamp(at: number): string {
  const moment = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [moment.getFullYear(), two(moment.getMonth() + 1), two(moment.getDate())].join('-');
  return `${day} ${[moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(two).join('.')}`;
}

/** The last part of a path, Unix or Windows. */
export function fileName(path: string): string {
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
}

/** Midnight before a moment, in local time. */
export function midnight(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
