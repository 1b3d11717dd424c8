/**
 * The router's prompt on one terminal: login, commands with help and completion, paging, and the password that SECUREDELAY
 * asks for again. Keys come in as text, the screen goes out as text; whether by a local terminal or SSH, it does not know.
 */

import { complete } from '../alliedware/completion.ts'
import type { Configuration } from '../alliedware/config.ts'
import { help, optionsText } from '../alliedware/help.ts'
import type { HelpFile } from '../alliedware/help-file.ts'
import { frameMessages, messageNumbers } from '../alliedware/message.ts'
import { type Names, noNames } from '../alliedware/names.ts'
import type { Command } from '../alliedware/parse.ts'
import { quote } from '../alliedware/token.ts'
import type { Millis } from '../machine.ts'
import type { AdminAnswer } from './caller.ts'
import { type EditorEvent, LineEditor } from './line-editor.ts'
import type { Access } from './login.ts'
import { type Operator, promptOf } from './operator.ts'
import { Pager } from './pager.ts'

export interface PromptWorld {
  readonly access: Access
  readonly operator: Operator
  readonly configuration: () => Configuration
  readonly helpFile: () => HelpFile | undefined
  /** The names of what there is. */
  readonly names: () => Names
  readonly now: () => Millis
  readonly understood: (text: string) => Command | undefined
  /** `own`: it is about the operator's own account, and asks for no privilege. */
  readonly perform: (text: string, own?: boolean) => Promise<AdminAnswer>
  readonly write: (text: string) => void
  readonly close: () => void
}

/** A terminal where nobody logs in is not kept. */
const LOGIN_MILLIS = 60_000
const LARGEST_INPUT = 65_536

type State = 'name' | 'password' | 'command' | 'confirm' | 'old' | 'new' | 'again' | 'busy' | 'more' | 'closed'

export class Prompt {
  private readonly world: PromptWorld
  private readonly editor: LineEditor
  private readonly pager: Pager
  private readonly started: Millis
  private state: State = 'name'
  private rows: number
  /** SET ASYN PAGE: lines a page; 0 is no paging; undefined is what the terminal has. */
  private pageRows: number | undefined
  /** Typed ahead of what is being done. */
  private waiting = ''
  private name = ''
  /** What waits for a password: a command, or a new password for its repetition. */
  private held = ''

  constructor(world: PromptWorld, columns: number, rows: number) {
    this.world = world
    this.rows = rows
    this.editor = new LineEditor(columns, world.write)
    this.pager = new Pager(world.write)
    this.started = world.now()
    this.next()
  }

  keys(text: string): void {
    if (this.state === 'closed' || this.waiting.length + text.length > LARGEST_INPUT) return
    this.waiting += text
    this.world.operator.typed(this.world.now())
    this.pump()
  }

  resize(columns: number, rows: number): void {
    this.editor.columns = columns
    this.rows = rows
    if (this.state !== 'busy' && this.state !== 'more' && this.state !== 'closed') this.editor.draw()
  }

  /** Something to tell whoever sits here, in the midst of what they type. */
  print(text: string): void {
    if (this.state === 'closed') return
    const typing = this.state === 'command'
    if (typing) this.editor.erase()
    this.world.write(`${typing ? '' : '\r\n'}${text.replaceAll('\n', '\r\n')}\r\n`)
    if (typing) this.editor.draw()
  }

  /** To be called every second or so: what happens by time alone. */
  tick(): void {
    const now = this.world.now()
    const { operator } = this.world
    if (this.state === 'closed') return
    if (operator.privilege === undefined) {
      if (now - this.started > LOGIN_MILLIS || operator.user !== '') this.end('Nobody is logged in: good-bye.')
    } else if (operator.idle(now)) {
      if (this.state === 'command') this.editor.erase()
      this.say('Warning: a security officer who is idle becomes a manager: LOGIN again')
      if (this.state === 'command') this.ask()
    }
  }

  private pump(): void {
    while (this.waiting !== '' && this.state !== 'busy' && this.state !== 'closed') {
      if (this.state === 'more') {
        const key = String.fromCodePoint(this.waiting.codePointAt(0)!)
        this.waiting = this.waiting.slice(key.length)
        this.pager.key(key, this.rows)
        if (!this.pager.waits) this.next()
        continue
      }
      const { event, rest } = this.editor.keys(this.waiting)
      this.waiting = rest
      if (event) this.happened(event)
    }
  }

  private happened(event: EditorEvent): void {
    switch (event.kind) {
      case 'line':
        this.entered(event.text)
        break
      case 'help':
        this.world.write('?\r\n')
        this.showOptions()
        break
      case 'complete':
        this.completeWord()
        break
      case 'interrupt':
        this.next()
        break
      case 'end':
        this.end()
        break
    }
  }

  private entered(text: string): void {
    const { operator, now } = this.world
    switch (this.state) {
      case 'name':
        if (text.trim() === '') this.ask()
        else this.askPassword(text.trim())
        break
      case 'password': {
        const { refused } = operator.login(this.name, text, now())
        if (refused !== undefined) this.refuse(refused)
        else this.editor.forget()
        this.next()
        break
      }
      case 'confirm':
        this.confirm(text)
        break
      case 'old':
        if (this.proves(text)) this.askHidden('new', 'New password: ')
        break
      case 'new':
        this.held = text
        this.askHidden('again', 'Again: ')
        break
      case 'again':
        this.changePassword(text)
        break
      default:
        this.command(text)
    }
  }

  private command(text: string): void {
    const command = this.world.understood(text)
    const { operator, now } = this.world
    if (operator.privilege === undefined) this.end('This account is gone: good-bye.')
    else if (command?.verb === 'logoff') this.end()
    else if (command?.verb === 'login') this.login(command)
    else if (command?.verb === 'help') this.page(help(topicOf(command), this.editor.columns, this.world.helpFile()))
    else if (command?.verb === 'set' && command.object.join(' ') === 'asyn' && command.args['page'] !== undefined) {
      this.setPage(command.args['page'])
    } else if (command?.verb === 'set' && command.object.join(' ') === 'password' && operator.account !== undefined) {
      this.askHidden('old', 'Old password: ')
    } else if (command !== undefined && operator.mustConfirm(command, now())) {
      this.held = text
      this.askHidden('confirm', 'Password: ')
    } else this.run(text, command)
  }

  private askHidden(state: State, question: string): void {
    this.state = state
    this.editor.start(question, true)
  }

  private login(command: Command): void {
    const name = topicOf(command)
    if (name !== '') return this.askPassword(name)
    this.state = 'name'
    this.ask()
  }

  private askPassword(name: string): void {
    const seconds = this.world.access.lockedSeconds(this.world.operator.place)
    if (seconds > 0) {
      // As the router does: the password is not even asked for.
      this.refuse(`too many wrong logins: locked for ${seconds} seconds`)
      return this.next()
    }
    this.name = name
    this.askHidden('password', 'Password: ')
  }

  private confirm(password: string): void {
    if (!this.proves(password)) return
    const text = this.held
    this.held = ''
    this.run(text, this.world.understood(text))
  }

  /** Whether it is the operator's password; else that is said, and once too often ends it. */
  private proves(password: string): boolean {
    const result = this.world.operator.confirm(password, this.world.now())
    if (result === 'right') return true
    if (result === 'out') this.end('Wrong password, once too often: good-bye.')
    else {
      this.refuse('wrong password')
      this.next()
    }
    return false
  }

  /** SET PASSWORD: the new one was typed twice. */
  private changePassword(again: string): void {
    const password = this.held
    this.held = ''
    const { account } = this.world.operator
    if (password === again && account !== undefined)
      return this.run(`set user=${quote(account)} password=${quote(password)}`, undefined, true)
    this.refuse('the two are not the same: nothing was changed')
    this.next()
  }

  private run(text: string, command: Command | undefined, own = false): void {
    this.state = 'busy'
    void this.world.perform(text, own).then(answer => {
      if (this.state === 'closed') return
      if (command) this.world.operator.acted(command, this.world.now())
      if (answer.text === '') this.next()
      else if (command?.verb === 'show') this.page(answer.text)
      else {
        this.world.write(`\r\n${answer.text.replaceAll('\n', '\r\n')}\r\n\r\n`)
        this.next()
      }
      this.pump()
    })
  }

  private page(text: string): void {
    this.world.write('\r\n')
    this.pager.start(`${text}\n\n`, this.editor.columns, this.pageRows ?? this.rows)
    if (this.pager.waits) this.state = 'more'
    else this.next()
  }

  private setPage(value: unknown): void {
    this.pageRows = value === false ? 0 : typeof value === 'number' ? value : undefined
    this.say('Operation successful.')
    this.next()
  }

  private showOptions(): void {
    const text =
      this.state === 'command'
        ? optionsText(this.expanded(), this.editor.columns, this.names())
        : ' Options : your name'
    this.world.write(`${text.replaceAll('\n', '\r\n')}\r\n\r\n`)
    this.editor.draw()
  }

  private completeWord(): void {
    if (this.state !== 'command') return
    const aliases = this.world.configuration().aliases.map(a => a.name)
    const { insert, ambiguous } = complete(this.editor.beforeCursor, aliases, this.names())
    if (insert !== '') this.editor.insert(insert)
    else if (ambiguous) {
      this.world.write('\r\n')
      this.showOptions()
    }
  }

  /** Who may see nothing learns no names, either. */
  private names(): Names {
    return this.world.operator.privilege === 'user' ? noNames : this.world.names()
  }

  /** What is typed, an alias at its beginning replaced once it is whole. */
  private expanded(): string {
    const text = this.editor.beforeCursor.trimStart()
    const word = /^\S+(?=\s)/.exec(text)?.[0]
    const alias = this.world.configuration().aliases.find(a => a.name.toLowerCase() === word?.toLowerCase())
    return alias && word ? alias.string + text.slice(word.length) : text
  }

  private refuse(text: string): void {
    this.world.write(`\r\n${frameMessages(`Error: ${text}`, 'user', messageNumbers.login)}\r\n\r\n`)
  }

  private say(text: string): void {
    this.world.write(`\r\n${frameMessages(text, undefined, messageNumbers.refused)}\r\n\r\n`)
  }

  /** On to the next line: a command, or a name where nobody is logged in. */
  private next(): void {
    if (this.state === 'closed') return
    this.state = this.world.operator.privilege === undefined ? 'name' : 'command'
    this.ask()
  }

  private ask(): void {
    const { operator, configuration } = this.world
    const { privilege } = operator
    const asking = this.state === 'name' || privilege === undefined
    this.editor.start(asking ? 'login: ' : promptOf(privilege, configuration().systemName))
  }

  private end(text?: string): void {
    this.world.write(text === undefined ? '\r\n' : `\r\n${text}\r\n`)
    this.state = 'closed'
    this.waiting = ''
    this.world.close()
  }
}

/** The words behind the verb, as they were typed. */
function topicOf(command: Command): string {
  return command.words.join(' ')
}
