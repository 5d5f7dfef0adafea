db.getSiblingDB("shop").getCollection("sessions").createIndex({ expiry: 1 }, { name: "expiry_1", expireAfterSeconds: 0 })
