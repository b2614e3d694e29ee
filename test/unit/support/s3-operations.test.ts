import { expect, it } from 'vitest'
import { operationOf } from '../../support/s3-operations.ts'

it('knows a part that is copied from one that is sent', () => {
  const part = { method: 'PUT', url: '/bucket/key?uploadId=1&partNumber=1' }
  expect(operationOf(part)).toBe('UploadPart')
  const headers = { 'x-amz-copy-source': 'bucket/other' }
  expect(operationOf({ ...part, headers })).toBe('UploadPartCopy')
})
