/** The word that was meant, where one was mistyped by a letter or two. */

/** `; did you mean ADD?`, or nothing where none of the names is near. */
export function didYouMean(typed: string, names: readonly string[]): string {
  const word = typed.toUpperCase()
  const near = names
    .map(name => ({ name, far: distance(word, name.toUpperCase()) }))
    .filter(({ far }) => far <= Math.max(1, Math.floor(word.length / 3)) && far < word.length)
    .sort((a, b) => a.far - b.far)[0]
  return near === undefined ? '' : `; did you mean ${near.name.toUpperCase()}?`
}

/** How many letters are missing, too many, others, or in the place of their neighbours. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const other = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + other)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1)
      next.push(least)
    }
    before = row
    row = next
  }
  return row[b.length]!
}
