/** What must hold did not. */
export function fault(text: string): never {
  throw new Error(text)
}
