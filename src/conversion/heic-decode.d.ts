/** The part of the package that we use; it brings no types. */
declare module 'heic-decode' {
  interface Picture {
    readonly width: number
    readonly height: number
    /** RGBA, eight bits each. */
    decode(): Promise<{ readonly data: Uint8ClampedArray }>
  }
  interface Pictures extends ReadonlyArray<Picture> {
    dispose(): void
  }
  const heicDecode: {
    all(options: { readonly buffer: Uint8Array }): Promise<Pictures>
  }
  // biome-ignore lint/style/noDefaultExport: that is how the package does it
  export default heicDecode
}
