// Package evidence verifies OCSP responses and CRLs.
//
// [VerifyOCSP] and [VerifyCRL] are pure functions of the evidence, the certificate, its issuer
// and a clock; [ParseCRL] verifies a list once for many certificates. They open no socket and
// keep nothing. Package revocation fetches and remembers the evidence.
//
// # Why a parser is not enough
//
// A parser says what an answer contains. It does not say whether the signer may speak for the
// issuer, whether the answer is about this certificate of this CA, or whether it is fresh: an
// answer that a revoked client signed for itself parses well and says "good". The checks run in
// a fixed order, the first failure decides, and a failure leaves no status behind. RULES.md
// lists them by the numbers that comments cite.
//
// # Statuses
//
// [Unavailable], the zero value, denies: there is no authentic, fresh, applicable evidence. Bad
// evidence is never [Good] and never [Revoked]. [Unknown] is an authorised answer that the
// certificate is not known. A Good answer does not say that the certificate was ever issued;
// the verified chain does.
package evidence
