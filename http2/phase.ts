/*
 * The life of a connection:
 *
 *   OPENING --- preface and SETTINGS ---> ACTIVE
 *                                           |  drain(): GOAWAY(2^31-1), PING
 *                                           v
 *                                        DRAINING --- PING answered, or too late: GOAWAY(last id) ---> LAST
 *                                                                                                       |
 *   any of these --- an error: GOAWAY ---> LINGERING <-------------------- no request is left ----------+
 *                                           |  the client closed, or lingerMs passed
 *                                           v
 *                                        (closed)
 */
export enum Phase {
  OPENING,
  ACTIVE,
  DRAINING,
  LAST,
  LINGERING,
}
