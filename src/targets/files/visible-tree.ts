import type { ReportDifference } from '../../mirror/sink.ts'
import { reportAdded } from './added-paths.ts'
import type { ModeOf } from './file-modes.ts'
import type { FileSystem } from './file-system.ts'
import { checkTree } from './tree-check.ts'
import type { TreeDigest } from './tree-digest.ts'
import { surveyTree, type TreeSurvey } from './tree-walk.ts'

/** What a tree holds. */
export interface TreeContent {
  readonly files: number
  /** Size of the files, together. */
  readonly bytes: number
  readonly digest: TreeDigest
}

export function isSameContent(
  left: Pick<TreeContent, 'files' | 'digest'>,
  right: Pick<TreeContent, 'files' | 'digest'>,
): boolean {
  return left.files === right.files && left.digest.equals(right.digest)
}

export interface VisibleTreeOptions {
  readonly files: FileSystem
  readonly directory: string
  readonly modeOf: ModeOf
  readonly directoryMode: number
  /** Names of entries of the directory that are no part of the tree. Default: none, and its mode is the tree's as well. */
  readonly reserved?: ReadonlySet<string>
  /** Whether consumers are led to this tree. */
  readonly isLinked: () => boolean
}

/** The tree that consumers see, looked at as they see it. All work is for `inSlices`. */
export class VisibleTree {
  readonly #options: VisibleTreeOptions

  constructor(options: VisibleTreeOptions) {
    this.#options = options
  }

  /** Whether consumers are led to this tree, and all that stands there is `content`. */
  *holds(content: TreeContent): Generator<void, boolean> {
    const isLinked = this.#options.isLinked()
    const found = yield* checkTree(this.#options)
    return isLinked && found.isSound && isSameContent(found, content)
  }

  /** Counts the files, without reading them. A link that leads elsewhere makes it unsound, and is reported. */
  *survey(report: ReportDifference): Generator<void, TreeSurvey> {
    const isLinked = this.#options.isLinked()
    if (!isLinked) report({ path: 'current', kind: 'type', modRevision: undefined })
    const survey = yield* surveyTree(this.#options.files, this.#options.directory, this.#options)
    return { ...survey, isSound: isLinked && survey.isSound }
  }

  /** Reports what has no counterpart in the tree `right`. */
  *compare(right: string, report: ReportDifference): Generator<void, void> {
    const { files, directory } = this.#options
    if (files.lstat(directory)?.isDirectory()) {
      yield* reportAdded({ ...this.#options, visible: directory, right, report })
    }
  }
}
