db.getSiblingDB("shop").getCollection("sessions").createIndex({ expiry: 1 }, { name: "expiry_1", expireAfterSeconds: 0 })
db.getSiblingDB("shop").getCollection("sessions").createIndex({ user: 1, _id: 1 }, { name: "user_1__id_1", partialFilterExpression: { user: { $exists: true } } })
