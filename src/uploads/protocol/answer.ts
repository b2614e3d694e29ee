/** What a request is answered; headers that every answer has are added. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Answers one method. What it throws is answered as an error. */
export type Method<Request> = (request: Request) => Promise<Answer>
