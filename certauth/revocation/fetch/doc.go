// Package fetch gets OCSP responses and CRLs over HTTP from the URLs in
// certificates.
//
// A CA may be asked to write any URL into a certificate, so [HTTPFetcher] connects to public
// addresses on ports 80 and 443 alone unless [HTTPOptions] say otherwise, bounds time and size,
// and judges every redirect like the URL itself. [Gate] bounds how much is fetched at once and
// leaves failing hosts alone for a while, for each partner apart.
//
// This package does not verify the bytes it downloads; package evidence does.
package fetch
