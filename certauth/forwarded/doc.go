// Package forwarded reads client certificates that a TLS front end wrote into a request
// header.
//
// # What must be true first
//
// A certificate is public. Whoever can write the header can paste somebody's genuine
// certificate into it, and pins, chain and revocation checks all pass: that the caller
// holds the key was proven to the front end and to nobody else. So every source here
// comes with an answer to "who wrote this header?": the platform's own evidence for
// [AppService], and a [Gate] for anything more. From anybody else the header is not
// read.
//
// # Strictness
//
// A source reads one header in one form. Nothing is sniffed, no other header is a
// fallback, and the certificate of the TLS connection never takes its place. One
// certificate has one spelling: what is repeated, padded differently, wrapped, or
// followed by anything is [certauth.ReasonCertificateMalformed], also where a
// certificate is optional; it is never taken for absence.
package forwarded
