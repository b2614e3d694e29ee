/**
 * The page of an application that uploads with Uppy. What the tests want of it is in
 * `globalThis.uploads`; how it uploads is in the query of its address.
 */
import Uppy from '@uppy/core'
import GoldenRetriever from '@uppy/golden-retriever'
import Tus from '@uppy/tus'

const { keepsFiles, ...tus } = JSON.parse(new URLSearchParams(location.search).get('options'))
// The IETF's protocol knows nothing of the header of tus that names files.
const headers = ({ name }) =>
  tus.protocol && {
    'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
  }
const uppy = new Uppy({ id: 'page' })
uppy.use(Tus, {
  retryDelays: Array(100).fill(200),
  removeFingerprintOnSuccess: true,
  headers,
  ...tus,
})

const restored = new Promise((resolve) => uppy.once('restored', resolve))
const completed = new Promise((resolve) => uppy.once('complete', resolve))
if (keepsFiles) uppy.use(GoldenRetriever, {})

document.querySelector('input').addEventListener('change', ({ target }) => {
  for (const data of target.files) uppy.addFile({ name: data.name, type: data.type, data })
})

const summary = ({ successful, failed }) => ({
  successful: successful.map(({ name, uploadURL }) => ({ name, url: uploadURL })),
  failed: failed.map(({ name, error, response }) => ({
    name,
    error,
    status: response?.status ?? 0,
    text: response?.body.xhr.responseText ?? '',
  })),
})

const requested = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

globalThis.uploads = {
  send: async () => summary(await uppy.upload()),
  completed: async () => summary(await completed),
  pause: () => uppy.pauseAll(),
  resume: () => uppy.resumeAll(),
  /** Goes on with what was under way before the page was loaded. */
  async restore() {
    await restored
    uppy.emit('restore-confirmed')
  },
  /** Whether a file and the URL it is sent to would survive the end of the page. */
  async isKept() {
    const database = await requested(indexedDB.open('uppy-blobs'))
    const all = (store) => requested(database.transaction([store]).objectStore(store).getAll())
    const [files, [state]] = await Promise.all([all('files'), all('metadata')])
    database.close()
    return files.length > 0 && (state?.metadata.includes('"uploadUrl":"http') ?? false)
  },
}
