package conformance

var listChecks, expiryChecks, concurrencyChecks, mergeChecks, dataChecks, hostileChecks, faultChecks, cleanupChecks, driverChecks, driverListChecks []check
