/** What a body yields, and the error it ends with. */
export async function drain(
  body: AsyncIterable<Buffer>,
): Promise<{ read: Buffer; error?: unknown }> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of body) chunks.push(chunk)
  } catch (error) {
    return { read: Buffer.concat(chunks), error }
  }
  return { read: Buffer.concat(chunks) }
}
