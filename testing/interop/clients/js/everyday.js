// Everyday use of MQTT.js: HOST PORT VERSION (311 or 5).
'use strict'

const mqtt = require('mqtt')
const { isDeepStrictEqual } = require('node:util')

const [host, port, version] = process.argv.slice(2)
const TIMEOUT = 10_000

const emit = (fields) => console.log(JSON.stringify(fields))
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

// One check: it passes unless its body throws.
async function check(name, body) {
  const start = performance.now()
  const ms = () => Math.round((performance.now() - start) * 10) / 10
  try {
    await body()
    emit({ check: name, ok: true, ms: ms() })
  } catch (error) {
    emit({ check: name, ok: false, ms: ms(), detail: String(error) })
  }
}

function expect(actual, wanted, what = 'value') {
  if (!isDeepStrictEqual(actual, wanted)) {
    throw new Error(`${what}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(actual)}`)
  }
}

// A connected client whose messages wait to be taken.
class Peer {
  static async connect(name, options = {}) {
    const peer = new Peer()
    peer.arrived = []
    peer.client = await mqtt.connectAsync(`mqtt://${host}:${port}`, {
      clientId: `mqttjs-${name}`,
      protocolVersion: version === '5' ? 5 : 4,
      reconnectPeriod: 0,
      connectTimeout: TIMEOUT,
      ...options
    }, false)
    peer.client.on('message', (topic, payload, packet) => {
      peer.arrived.push({ topic, text: payload.toString(), qos: packet.qos, retain: packet.retain, properties: packet.properties })
      peer.wake?.()
    })
    return peer
  }

  async subscribe(filter, qos = 1, properties) {
    const granted = await this.client.subscribeAsync(filter, { qos, properties })
    return granted.map((each) => each.qos)
  }

  publish(topic, payload, options = {}) {
    return this.client.publishAsync(topic, payload, { qos: 1, ...options })
  }

  async next(timeout = TIMEOUT) {
    if (this.arrived.length === 0) {
      await Promise.race([new Promise((resolve) => { this.wake = resolve }), sleep(timeout)])
    }
    if (this.arrived.length === 0) throw new Error(`no message within ${timeout} ms`)
    return this.arrived.shift()
  }

  // All messages until none came for a while.
  async untilQuiet() {
    const result = []
    for (;;) {
      try {
        result.push(await this.next(500))
      } catch {
        return result
      }
    }
  }
}

// Runs `body` with connected clients and disconnects them whatever happens.
async function withPeers(names, body) {
  const peers = []
  try {
    for (const name of names) peers.push(await Peer.connect(name))
    await body(...peers)
  } finally {
    await Promise.all(peers.map((peer) => peer.client.endAsync()))
  }
}

async function everyday() {
  await check('connect', () => withPeers(['connect'], () => {}))
  await check('subscribe', () => withPeers(['subscribe'], async (one) => {
    for (const qos of [0, 1, 2]) {
      expect(await one.subscribe(`everyday/subscribe/${qos}`, qos), [qos], 'granted QoS')
    }
  }))
  for (const qos of [0, 1, 2]) {
    await check(`echo QoS ${qos}`, () => withPeers(['echo'], async (one) => {
      const topic = `everyday/echo/${qos}`
      await one.subscribe('everyday/echo/+', 2)
      const texts = [...Array(20).keys()].map(String).concat('', 'x'.repeat(100_000))
      for (const text of texts) await one.publish(topic, text, { qos })
      for (const text of texts) {
        const message = await one.next()
        expect([message.topic, message.qos, message.retain], [topic, qos, false])
        expect(message.text, text, 'payload')
      }
    }))
  }
  await check('unsubscribe', () => withPeers(['unsubscribe'], async (one) => {
    await one.subscribe('everyday/first')
    await one.subscribe('everyday/second')
    await one.client.unsubscribeAsync('everyday/first')
    await one.publish('everyday/first', 'not wanted')
    await one.publish('everyday/second', 'wanted')
    expect((await one.next()).text, 'wanted')
  }))
  await check('retained', retained)
  await check('will', () => withPeers(['heir'], async (heir) => {
    await heir.subscribe('everyday/will')
    const will = { topic: 'everyday/will', payload: 'gone', qos: 1 }
    const owner = await Peer.connect('owner', { will })
    owner.client.stream.destroy() // no DISCONNECT
    const message = await heir.next()
    expect([message.text, message.qos], ['gone', 1], 'Will Message')
  }))
}

// 3.1.1 knows no Receive Maximum: the broker has to take what comes at once.
async function pipelined() {
  await check('pipelined QoS 2', () => withPeers(['pipelined'], async (one) => {
    await one.subscribe('everyday/pipelined', 2)
    const texts = [...Array(200).keys()].map(String)
    await Promise.all(texts.map((text) => one.publish('everyday/pipelined', text, { qos: 2 })))
    const received = (await one.untilQuiet()).map((message) => message.text)
    expect(received.length, texts.length, 'messages')
    expect(received, texts)
  }))
}

async function retained() {
  const topic = 'everyday/retained'
  await withPeers(['publisher', 'early', 'late'], async (publisher, early, late) => {
    await early.subscribe(topic)
    await publisher.publish(topic, 'kept', { retain: true })
    expect((await early.next()).retain, false, 'RETAIN of a live message')
    await late.subscribe(topic)
    const message = await late.next()
    expect([message.text, message.retain], ['kept', true], 'retained message')
    await publisher.publish(topic, '', { retain: true })
    expect((await late.next()).text, '', 'the empty message that clears')
  })
  await withPeers(['after'], async (after) => {
    await after.subscribe(topic)
    await after.publish(topic, 'live')
    expect((await after.next()).text, 'live', 'first message after clearing')
  })
}

async function version5() {
  await check('user properties', () => withPeers(['properties'], async (one) => {
    await one.subscribe('everyday/properties')
    const userProperties = { colour: ['blue', 'green'], größe: '10 µm' }
    await one.publish('everyday/properties', 'x', { properties: { userProperties, contentType: 'text/plain' } })
    const received = (await one.next()).properties
    expect({ ...received.userProperties }, userProperties)
    expect(received.contentType, 'text/plain')
  }))
  await check('request and response', () => withPeers(['asks', 'answers'], async (asks, answers) => {
    const correlationData = Buffer.from([0, 1, 2])
    await answers.subscribe('everyday/request')
    await asks.subscribe('everyday/response')
    await asks.publish('everyday/request', '?', { properties: { responseTopic: 'everyday/response', correlationData } })
    const request = (await answers.next()).properties
    await answers.publish(request.responseTopic, '!', { properties: { correlationData: request.correlationData } })
    expect((await asks.next()).properties.correlationData, correlationData)
  }))
  await check('message expiry', () => withPeers(['expiry'], async (one) => {
    const expiring = (seconds) => ({ retain: true, properties: { messageExpiryInterval: seconds } })
    await one.publish('everyday/expiry/soon', 'x', expiring(1))
    await one.publish('everyday/expiry/late', 'x', expiring(100))
    await sleep(2200) // the time the message may live
    await one.subscribe('everyday/expiry/+')
    const message = await one.next()
    expect(message.topic, 'everyday/expiry/late')
    expect([97, 98].includes(message.properties.messageExpiryInterval), true, 'time that remains is less by 2 s')
    expect(await one.untilQuiet(), [], 'expired messages')
    await one.publish('everyday/expiry/late', '', { retain: true })
  }))
  await check('topic alias', topicAlias)
  await check('shared subscription', () => withPeers(['a', 'b'], async (a, b) => {
    await a.subscribe('$share/group/everyday/shared')
    await b.subscribe('$share/group/everyday/shared')
    for (let number = 0; number < 20; number++) await b.publish('everyday/shared', String(number))
    const shares = []
    for (const one of [a, b]) shares.push((await one.untilQuiet()).map((each) => Number(each.text)))
    expect(shares.flat().sort((x, y) => x - y), [...Array(20).keys()], 'each message once')
    expect(shares.every((share) => share.length > 0), true, 'each member has a share')
  }))
  await check('subscription identifier', () => withPeers(['identifier'], async (one) => {
    await one.subscribe('everyday/identifier', 1, { subscriptionIdentifier: 77 })
    await one.publish('everyday/identifier', 'x')
    expect((await one.next()).properties.subscriptionIdentifier, 77)
  }))
}

// Both directions: the client sends aliases, and offers the broker to use some as well.
async function topicAlias() {
  const one = await Peer.connect('alias', { autoAssignTopicAlias: true, properties: { topicAliasMaximum: 10 } })
  try {
    await one.subscribe('everyday/alias')
    for (const text of ['first', 'second', 'third']) await one.publish('everyday/alias', text)
    for (const text of ['first', 'second', 'third']) {
      const message = await one.next()
      expect([message.topic, message.text], ['everyday/alias', text])
    }
  } finally {
    await one.client.endAsync()
  }
}

async function main() {
  emit({ client: `MQTT.js ${require('mqtt/package.json').version}, MQTT ${version === '5' ? '5.0' : '3.1.1'}` })
  await everyday()
  await (version === '5' ? version5() : pipelined())
  process.exit(0) // the waits of passed checks would keep the process alive
}

main()
