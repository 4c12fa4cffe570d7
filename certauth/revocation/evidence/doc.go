// Package evidence verifies OCSP responses and CRLs.
//
// [VerifyOCSP] and [VerifyCRL] are pure functions of the evidence, the certificate, its issuer
// and a clock; [ParseCRL] verifies a list once for many certificates. They open no socket and
// keep no state. Package revocation fetches the evidence and remembers it.
//
// # Why a parser is not enough
//
// A parser returns the contents of an answer. It does not determine whether the signer may speak
// for the issuer, whether the answer is about this certificate of this CA, or whether it is
// fresh: an answer that a revoked client signed for itself is well formed and says "good". The
// checks run in a fixed order, the first failure decides, and after a failure there is no status.
// Invalid evidence is never [Good] and never [Revoked]. RULES.md lists the checks by the numbers
// that comments use.
package evidence
