/**
 * Address of a picture in the `media` protocol. The Windows web view only knows custom protocols
 * as hosts of `http`; elsewhere they are schemes of their own.
 */
export function mediaAddress(id: string, userAgent: string): string {
  const path = id.split('/').map(encodeURIComponent).join('/');
  return userAgent.includes('Windows') ? `http://media.localhost/${path}` : `media://localhost/${path}`;
}
