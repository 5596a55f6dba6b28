import { expect, test } from 'vitest'
import { templateTextFault } from '../../../../src/targets/render/template-text.ts'

test.each([
  ['{% if x %}', 1, 'tag {% if x %} not closed'],
  ['a\n{% nope %}', 2, 'tag "nope" not found'],
  ['{% for a b %}{% endfor %}', 1, 'illegal tag: {% for a b %}'],
  ['{{ none', 1, 'output "{{ none" not closed'],
  ['{{ a | nope }}', 1, 'undefined filter: nope'],
])('templateTextFault says what is wrong with %j, and where', (text, line, message) => {
  expect(templateTextFault(text)).toEqual({ line, message })
})
