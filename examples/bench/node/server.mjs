// node server.mjs NAME DIR serves one of the peers of the comparison, with the certificates
// in DIR, on a free loopback port that it prints. It ends when its standard input does.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import clientCertificateAuth from 'client-certificate-auth';
import express from 'express';

const [name, dir] = process.argv.slice(2);
const certificate = (file) => new X509Certificate(readFileSync(join(dir, file)));
const root = certificate('root.pem');
const issuing = certificate('issuing.pem');
const rootKey = root.publicKey;
const issuingKey = issuing.publicKey;
const pin = certificate('leaf.pem').fingerprint256;

// The middleware asks the TLS socket for the certificate. This puts the forwarded one there,
// by the calls with which versions from 1.0.0 on read such a header themselves.
function present(req) {
  const socket = req.socket;
  socket.authorized = false;
  socket.getPeerCertificate = () => undefined;
  const text = req.headers['x-arr-clientcert'];
  if (!text) return;
  try {
    const peer = new X509Certificate(Buffer.from(text, 'base64')).toLegacyObject();
    socket.getPeerCertificate = () => peer;
    socket.authorized = true;
  } catch {
    // Not a certificate: the socket stays unauthorized.
  }
}

const pinned = (cert) => cert.fingerprint256 === pin;

// What x509.Verify does by two signatures, written with node:crypto: the package has nothing for it.
function chained(cert) {
  if (!pinned(cert)) return false;
  const leaf = new X509Certificate(cert.raw);
  const now = Date.now();
  return [leaf, issuing, root].every((c) => Date.parse(c.validFrom) <= now && now <= Date.parse(c.validTo)) &&
    leaf.checkIssued(issuing) && leaf.verify(issuingKey) &&
    issuing.checkIssued(root) && issuing.verify(rootKey);
}

function plain(callback) {
  const auth = callback && clientCertificateAuth(callback);
  return createServer((req, res) => {
    const next = (err) => {
      res.statusCode = err ? err.status || 500 : 200;
      res.setHeader('Content-Type', 'text/plain; charset=utf-8');
      res.end(err ? 'refused\n' : 'ok\n');
    };
    if (!auth) return next();
    req.secure = true; // what Express would know; version 0.3.0 asks for it
    present(req);
    auth(req, res, next);
  });
}

function onExpress(callback) {
  const app = express();
  app.disable('x-powered-by');
  if (callback) {
    const auth = clientCertificateAuth(callback);
    app.use((req, res, next) => { present(req); next(); }, auth);
  }
  app.get('/orders', (req, res) => { res.type('text/plain').send('ok\n'); });
  app.use((err, req, res, next) => { res.status(err.status || 500).type('text/plain').send('refused\n'); });
  return createServer(app);
}

const servers = {
  'node': () => plain(),
  'node-cca': () => plain(pinned),
  'node-cca-chain': () => plain(chained),
  'express': () => onExpress(),
  'express-cca': () => onExpress(pinned),
  'express-cca-chain': () => onExpress(chained),
};

const server = servers[name]();
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit(0)).resume();
