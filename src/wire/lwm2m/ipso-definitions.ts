/**
 * IPSO's smart objects. Their resources are shared: a number means the same in every object, so each is written once,
 * and an object lists its numbers, the mandatory ones with `!`. All objects may have several instances.
 */
export const IPSO_RESOURCES = `
5500 R boolean Digital Input State
5501 R integer Digital Input Counter
5502 RW boolean Digital Input Polarity
5503 RW integer Digital Input Debounce [ms]
5504 RW integer Digital Input Edge Selection
5505 E - Digital Input Counter Reset
5506 RW time Current Time
5507 RW float Fractional Time [s]
5508 R float Min X Value
5509 R float Max X Value
5510 R float Min Y Value
5511 R float Max Y Value
5512 R float Min Z Value
5513 R float Max Z Value
5514 R string Latitude
5515 R string Longitude
5516 R string Uncertainty
5517 R opaque Velocity
5518 R time Timestamp
5519 R float Min Limit
5520 R float Max Limit
5521 RW float Delay Duration [s]
5522 RW opaque Clip
5523 E - Trigger
5524 RW float Duration [s]
5525 RW float Minimum Off-time [s]
5526 RW integer Timer Mode
5527 RW string Text
5528 RW integer X Coordinate
5529 RW integer Y Coordinate
5530 E - Clear Display
5531 RW float Contrast [%]
5532 R boolean Increase Input State
5533 R boolean Decrease Input State
5534 RW integer Counter
5535 RW float Calibration Offset
5536 RW float Current Position [%]
5537 RW float Transition Time [s]
5538 R float Remaining Time [s]
5541 RW integer Up Counter
5542 RW integer Down Counter
5543 R boolean Digital State
5544 RW float Cumulative Time [s]
5545 R integer Max X Coordinate
5546 R integer Max Y Coordinate
5547 R integer Multi-state Input
5548 RW float Level [%]
5550 RW boolean Digital Output State
5551 RW boolean Digital Output Polarity
5600 R float Analog Input Current Value
5601 R float Min Measured Value
5602 R float Max Measured Value
5603 R float Min Range Value
5604 R float Max Range Value
5605 E - Reset Min and Max Measured Values
5650 RW float Analog Output Current Value
5700 R float Sensor Value
5701 R string Sensor Units
5702 R float X Value
5703 R float Y Value
5704 R float Z Value
5705 R float Compass Direction [deg]
5706 RW string Colour
5750 RW string Application Type
5751 R string Sensor Type
5800 R float Instantaneous Active Power [W]
5801 R float Min Measured Active Power [W]
5802 R float Max Measured Active Power [W]
5803 R float Min Range Active Power [W]
5804 R float Max Range Active Power [W]
5805 R float Cumulative Active Power [Wh]
5806 W float Active Power Calibration [W]
5810 R float Instantaneous Reactive Power [var]
5811 R float Min Measured Reactive Power [var]
5812 R float Max Measured Reactive Power [var]
5813 R float Min Range Reactive Power [var]
5814 R float Max Range Reactive Power [var]
5815 R float Cumulative Reactive Power [varh]
5816 W float Reactive Power Calibration [var]
5820 R float Power Factor
5821 RW float Current Calibration
5822 E - Reset Cumulative Energy
5823 RW string Event Identifier
5824 RW time Start Time
5825 RW integer Duration [min]
5826 RW integer Criticality Level
5827 RW integer Average Load Adjustment [%]
5828 RW integer Duty Cycle [%]
5850 RW boolean On/Off
5851 RW integer Dimmer [%]
5852 RW integer On Time [s]
5853 RW string Multi-state Output
5854 RW integer Off Time [s]
5900 RW float Set Point Value
5903 RW integer Busy to Clear Delay [ms]
5904 RW integer Clear to Busy Delay [ms]
5910 R integer Bitmap Input
5911 E - Bitmap Input Reset
5912 RW string* Element Description
6042 R integer Measurement Quality Indicator
6049 R integer Measurement Quality Level
6050 R float Fractional Timestamp [s]
`;

// When and how well it was measured: version 1.1 of the sensors.
const QUALITY = "5518 6042 6049 6050";
const MEASURED = `5700! 5701 5601 5602 5603 5604 5605 5750 ${QUALITY}`;
const CALIBRATED = `${MEASURED} 5535`;

export const IPSO_OBJECTS: readonly (readonly [id: number, name: string, resources: string])[] = [
  [3200, "Digital Input", "5500! 5501 5502 5503 5504 5505 5750 5751"],
  [3201, "Digital Output", "5550! 5551 5750"],
  [3202, "Analog Input", "5600! 5601 5602 5603 5604 5605 5750 5751"],
  [3203, "Analog Output", "5650! 5603 5604 5750"],
  [3300, "Generic Sensor", `${MEASURED} 5751`],
  [3301, "Illuminance", MEASURED],
  [3302, "Presence", `5500! 5501 5505 5750 5751 5903 5904 ${QUALITY}`],
  [3303, "Temperature", MEASURED],
  [3304, "Humidity", MEASURED],
  [
    3305,
    "Power Measurement",
    "5800! 5801 5802 5803 5804 5805 5806 5810 5811 5812 5813 5814 5815 5816 5820 5821 5605 5822",
  ],
  [3306, "Actuation", "5850! 5851 5852 5853 5750"],
  [3308, "Set Point", "5900! 5706 5701 5750"],
  [3310, "Load Control", "5823! 5824! 5825! 5826 5827 5828"],
  [3311, "Light Control", "5850! 5851 5706 5701 5852 5805 5820"],
  [3312, "Power Control", "5850! 5851 5852 5805 5820"],
  [3313, "Accelerometer", "5702! 5703 5704 5701 5603 5604"],
  [3314, "Magnetometer", "5702! 5703 5704 5701 5705"],
  [3315, "Barometer", MEASURED],
  [3316, "Voltage", CALIBRATED],
  [3317, "Current", CALIBRATED],
  [3318, "Frequency", CALIBRATED],
  [3319, "Depth", CALIBRATED],
  [3320, "Percentage", CALIBRATED],
  [3321, "Altitude", CALIBRATED],
  [3322, "Load", CALIBRATED],
  [3323, "Pressure", CALIBRATED],
  [3324, "Loudness", CALIBRATED],
  [3325, "Concentration", CALIBRATED],
  [3326, "Acidity", CALIBRATED],
  [3327, "Conductivity", CALIBRATED],
  [3328, "Power", CALIBRATED],
  [3329, "Power Factor", CALIBRATED],
  [3330, "Distance", CALIBRATED],
  [3331, "Energy", "5805! 5701 5822 5750"],
  [3332, "Direction", "5705! 5601 5602 5605 5750"],
  [3333, "Time", "5506! 5507 5750"],
  [3334, "Gyrometer", "5702! 5703 5704 5701 5603 5604 5508 5509 5510 5511 5512 5513 5605 5750"],
  [3335, "Colour", "5706! 5701 5750"],
  [3336, "Location", "5514! 5515! 5516 5705 5517 5518 5750"],
  [3337, "Positioner", "5536! 5537 5538 5601 5602 5605 5519 5520 5750"],
  [3338, "Buzzer", "5850! 5548 5521 5525! 5750"],
  [3339, "Audio Clip", "5522! 5523 5548 5524 5750"],
  [3340, "Timer", "5521! 5538 5525 5523 5850 5501 5544 5543 5534 5526 5750"],
  [3341, "Addressable Text Display", "5527! 5528 5529 5545 5546 5530 5548 5531 5750"],
  [3342, "On/Off Switch", "5500! 5501 5852 5854 5750"],
  [3343, "Level Control", "5548! 5852 5854 5750"],
  [3344, "Up/Down Control", "5532! 5533! 5541 5542 5750"],
  [3345, "Multiple Axis Joystick", "5500 5501 5702 5703 5704 5750"],
  [3346, "Rate", CALIBRATED],
  [3347, "Push Button", "5500! 5501 5750"],
  [3348, "Multi-state Selector", "5547! 5750"],
  [3349, "Bitmap", "5910! 5911 5912 5750"],
  [3350, "Stopwatch", "5544! 5850 5501 5750"],
];
