export function ensureNode(version: string, log?: (line: string) => void): Promise<string>
