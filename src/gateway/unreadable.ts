/** Why a file cannot be read, in words. */

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'this user may not read it',
}

export function unreadable(e: unknown): string {
  const { code, message } = e as NodeJS.ErrnoException
  return `cannot be read: ${WORDS[code ?? ''] ?? code ?? message}`
}
