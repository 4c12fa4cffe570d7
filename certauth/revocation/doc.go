// Package revocation decides from OCSP responses and CRLs whether certificates are
// revoked.
//
// [VerifyOCSP] and [VerifyCRL] are its core: pure functions of the evidence, the
// certificate, its issuer, and a clock. They open no socket and keep nothing.
//
// # Why not a parser alone
//
// A parser says what an answer contains. Whether the signer may speak for the issuer,
// whether the answer is about this certificate of this CA, and whether it is fresh, are
// questions of their own: an answer that a revoked client signed for itself parses well
// and says "good". Every check here has its place in a fixed order, the first failure
// decides, and a failure leaves no status behind.
//
// # Statuses
//
// [Unavailable], the zero value, denies: there is no authentic, fresh, applicable
// evidence. Bad evidence is never [Good] and never [Revoked]. [Unknown] is an authorised
// answer that the certificate is not known. A Good answer does not say that the certificate
// was ever issued; the verified chain does.
package revocation
