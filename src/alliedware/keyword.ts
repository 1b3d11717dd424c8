/** Keywords and how short each may be typed: a declared minimum per keyword and position, never computed. */

/** A keyword of the command language: its full name in lower case, and the fewest letters that stand for it. */
export interface Keyword {
  readonly name: string
  readonly minimum: number
}

/**
 * A keyword from the manuals' notation, where capitals (and digits) mark the shortest form: `POLicy` is `policy`, which
 * `pol`, `poli`, ... stand for; `LAC` must be typed in full.
 */
export function keyword(notation: string): Keyword {
  const lower = notation.search(/[a-z]/)
  return { name: notation.toLowerCase(), minimum: lower === -1 ? notation.length : lower }
}

/** The keyword in the manuals' notation: what must be typed in capitals, the rest small. */
export function notation(k: Keyword): string {
  return k.name.slice(0, k.minimum).toUpperCase() + k.name.slice(k.minimum)
}

/** Which of `keywords` the typed word stands for; undefined where it is none of them, or equally well two. */
export function resolve<K extends Keyword>(typed: string, keywords: readonly K[]): K | undefined {
  const word = typed.toLowerCase()
  let found: K | undefined
  for (const k of keywords) {
    if (k.name === word) return k
    if (!stands(word, k)) continue
    if (found !== undefined && found.name !== k.name) return undefined
    found = k
  }
  return found
}

/** Whether the word (in lower case) is long enough, and right, for the keyword. */
export function stands(word: string, k: Keyword): boolean {
  return word.length >= k.minimum && word.length > 0 && k.name.startsWith(word)
}

/**
 * The verbs. DISABLE has the short `dis` although DISCONNECT shares it, LOGOFF has `lo` although LOAD and LOGIN do;
 * that is why minima are declared.
 */
export const verbs: readonly Keyword[] = [
  'ACTivate',
  'ADD',
  'CAPture',
  'CLear',
  'CONnect',
  'COPy',
  'CREate',
  'DEActivate',
  'DELete',
  'DEStroy',
  'DISable',
  'DISConnect',
  'DUmp',
  'EDit',
  'ENAble',
  'FInger',
  'FLUsh',
  'HELP',
  'LOAd',
  'LOGIn',
  'LOGON',
  'LOgoff',
  'LOGOUt',
  'MAil',
  'MODify',
  'PINg',
  'PURge',
  'RECONnect',
  'RELoad',
  'REName',
  'RESet',
  'RESTart',
  'SEt',
  'SHow',
  'SSH',
  'STArt',
  'STOp',
  'TELnet',
  'TRAce',
  'UPLoad',
  'WAit',
].map(keyword)

/** Verbs that are another's second name. */
const sameVerb: Readonly<Record<string, string>> = { logon: 'login', logout: 'logoff' }

/** The verb by its first name. */
export function firstNameOf(verb: string): string {
  return sameVerb[verb] ?? verb
}

/** The full verb that a word stands for, in lower case. */
export function resolveVerb(word: string): string | undefined {
  const name = resolve(word, verbs)?.name
  return name === undefined ? undefined : firstNameOf(name)
}
